"""Instruments: clocks and spans, energy, the machine's environment, the device lock, the doctor."""
