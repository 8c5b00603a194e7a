/* A stand-in for libnvidia-ml.so.1 with one device, for tests.
 *
 * Its behaviour is read, at every call, from the file named by FAKE_NVML (lines "name value"):
 *   curve constant|ramp|pulsed   power over time: P | P * t / 10 s | P for half of each period
 *   watts P                      the curve's P
 *   period S                     of the pulses, seconds
 *   counter 0|1                  whether there is an energy counter
 *   instant 0|1                  whether there is an instant power field
 *   mig 0|1                      whether the board is split
 *   fail CODE                    every call on the device returns CODE ...
 *   fail_in FUNCTION             ... or only that one; "init" for nvmlInit
 *   pid N                        a process that computes on the device
 *   reasons BITS                 clock event reasons
 *   app_clock MHZ                application clock (default 1410)
 * Time is the monotonic clock's, unless fake_nvml_set_time() has set it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
  POWER_INSTANT = 186
};

typedef struct {
  char curve[32], fail_in[64];
  double watts, period;
  int counter, instant, mig, fail;
  unsigned pid, app_clock;
  unsigned long long reasons;
} State;

static double set_time_s = -1.0, origin_s = -1.0;

void fake_nvml_set_time(double seconds) { set_time_s = seconds; }

static double now_s(void) {
  struct timespec t;
  if (set_time_s >= 0.0) return set_time_s;
  clock_gettime(CLOCK_MONOTONIC, &t);
  if (origin_s < 0.0) origin_s = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec - origin_s;
}

static State state(void) {
  State s = {"constant", "", 100.0, 0.2, 1, 1, 0, 0, 0, 1410, 0};
  const char *path = getenv("FAKE_NVML");
  FILE *file = path ? fopen(path, "r") : NULL;
  char name[64], value[64];
  while (file && fscanf(file, "%63s %63s", name, value) == 2) {
    if (!strcmp(name, "curve")) strncpy(s.curve, value, sizeof s.curve - 1);
    else if (!strcmp(name, "fail_in")) strncpy(s.fail_in, value, sizeof s.fail_in - 1);
    else if (!strcmp(name, "watts")) s.watts = atof(value);
    else if (!strcmp(name, "period")) s.period = atof(value);
    else if (!strcmp(name, "counter")) s.counter = atoi(value);
    else if (!strcmp(name, "instant")) s.instant = atoi(value);
    else if (!strcmp(name, "mig")) s.mig = atoi(value);
    else if (!strcmp(name, "fail")) s.fail = atoi(value);
    else if (!strcmp(name, "pid")) s.pid = (unsigned)atoi(value);
    else if (!strcmp(name, "reasons")) s.reasons = strtoull(value, NULL, 0);
    else if (!strcmp(name, "app_clock")) s.app_clock = (unsigned)atoi(value);
  }
  if (file) fclose(file);
  return s;
}

static double power_w(const State *s, double t) {
  if (!strcmp(s->curve, "ramp")) return s->watts * t / 10.0;
  if (!strcmp(s->curve, "pulsed"))
    return t / s->period - (double)(long)(t / s->period) < 0.5 ? s->watts : 0.0;
  return s->watts;
}

static double energy_j(const State *s, double t) {
  if (!strcmp(s->curve, "ramp")) return s->watts * t * t / 20.0;
  if (!strcmp(s->curve, "pulsed")) {
    double whole = (double)(long)(t / s->period), rest = t - whole * s->period;
    double on = rest < s->period / 2 ? rest : s->period / 2;
    return s->watts * (whole * s->period / 2 + on);
  }
  return s->watts * t;
}

static int failure(const State *s, const char *function) {
  if (!s->fail) return SUCCESS;
  if (!*s->fail_in) return strcmp(function, "init") ? s->fail : SUCCESS;
  return strcmp(function, s->fail_in) ? SUCCESS : s->fail;
}

#define BEGIN(function)                       \
  State s = state();                          \
  int failed = failure(&s, function);         \
  (void)device;                               \
  if (failed) return failed

int nvmlInitWithFlags(unsigned flags) {
  State s = state();
  (void)flags;
  return failure(&s, "init");
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "fake error"; }

int nvmlSystemGetDriverVersion(char *out, unsigned size) {
  snprintf(out, size, "999.1");
  return SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  *device = &set_time_s;
  return index ? NOT_FOUND : SUCCESS;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
  State s = state();
  *device = &set_time_s;
  return strcmp(uuid, s.mig ? "MIG-fake" : "GPU-fake") ? NOT_FOUND : SUCCESS;
}
int nvmlDeviceGetUUID(void *device, char *out, unsigned size) {
  BEGIN("uuid");
  snprintf(out, size, "GPU-fake");
  return SUCCESS;
}
int nvmlDeviceGetName(void *device, char *out, unsigned size) {
  BEGIN("name");
  snprintf(out, size, "Fake GPU");
  return SUCCESS;
}
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  BEGIN("mig");
  *current = *pending = (unsigned)s.mig;
  return SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
  BEGIN("energy");
  if (!s.counter) return NOT_SUPPORTED;
  *millijoules = (unsigned long long)(1e3 * energy_j(&s, now_s()));
  return SUCCESS;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
  BEGIN("power");
  *milliwatts = (unsigned)(1e3 * power_w(&s, now_s()) + 0.5);
  return SUCCESS;
}

typedef struct {
  unsigned field, scope;
  long long timestamp, latency;
  unsigned value_type;
  int result;
  union { double d; unsigned u; unsigned long long ull; } value;
} FieldValue;

int nvmlDeviceGetFieldValues(void *device, int count, FieldValue *values) {
  BEGIN("fields");
  for (int i = 0; i < count; i++) {
    int known = values[i].field == POWER_INSTANT && s.instant;
    values[i].result = known ? SUCCESS : NOT_SUPPORTED;
    values[i].value.u = (unsigned)(1e3 * power_w(&s, now_s()) + 0.5);
  }
  return SUCCESS;
}
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts) {
  BEGIN("limit");
  *milliwatts = 300000;
  return SUCCESS;
}
int nvmlDeviceGetClockInfo(void *device, unsigned type, unsigned *mhz) {
  BEGIN("clock");
  *mhz = type == 2 ? 5001 : 1410;
  return SUCCESS;
}
int nvmlDeviceGetClock(void *device, unsigned type, unsigned which, unsigned *mhz) {
  BEGIN("app_clock");
  (void)type;
  *mhz = which == 1 ? s.app_clock : 1410;
  return SUCCESS;
}
int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *celsius) {
  BEGIN("temperature");
  (void)sensor;
  *celsius = 61;
  return SUCCESS;
}
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *reasons) {
  BEGIN("reasons");
  *reasons = s.reasons;
  return SUCCESS;
}

typedef struct {
  unsigned pid;
  unsigned long long memory;
  unsigned gpu_instance, compute_instance;
} ProcessInfo;

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, ProcessInfo *out) {
  BEGIN("processes");
  if (!s.pid) { *count = 0; return SUCCESS; }
  if (*count < 1) { *count = 1; return INSUFFICIENT_SIZE; }
  *count = 1;
  out[0] = (ProcessInfo){s.pid, 3ull << 30, 0, 0};
  return SUCCESS;
}
