"""Two examples of each command, as its ``--help`` ends; a test parses every one of them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "": (
        "run --models g-frtm-half,frtm-half --tau 0.1:1.0:0.1",
        "report --fig reuse-vs-jf --out reuse-vs-jf.png",
    ),
    "run": (
        "run --models g-frtm-lite --tau 0.1:1.0:0.1",
        "run --models frtm-fast --dataset davis16 --kind both --repeats 5",
    ),
    "check": ("check g-frtm-lite", "check +every:3"),
    "results": (
        "results --sort jf_mean --top 10",
        "results --models g-frtm-lite --bundle ours.json --owner us",
    ),
    "import": ("import theirs.json", "import theirs.json --study theirs --db all.db"),
    "report": (
        "report --fig fps-vs-jf --width 3.25in --no-title --out fig.pdf",
        "report --all --out report",
    ),
    "card": ("card g-frtm-lite", "card g-frtm-lite --out card.md"),
    "render": (
        "render g-frtm-lite dog --tau 0.7 --out dog.mp4",
        "render 12 dog --out dog.gif --fps 5",
    ),
    "site": ("site --out site", "site --out site --dataset davis16 --data-root DAVIS"),
    "eval": (
        "eval predictions --dataset davis17 --data-root DAVIS",
        "eval predictions --dataset davis-layout:clips --json",
    ),
    "models": ("models", "models --switches"),
    "datasets": ("datasets", "datasets --json"),
    "export": (
        "export 12 --out submission.zip",
        "export 12 --db mose.db --data-root MOSE",
    ),
    "profile": (
        "profile g-frtm-fast --weights random:0",
        "profile g-frtm-lite --dataset davis16 --sequences dog --json",
    ),
    "env": ("env", "env --device cuda:0 --json"),
    "doctor": ("doctor", "doctor --prove --out proof"),
    "status": ("status --watch", "status --study my-sweep --json"),
    "cancel": ("cancel", "cancel --study my-sweep"),
    "retry": ("retry --failed", "retry --failed --study my-sweep"),
    "gc": ("gc --dry-run", "gc --db results.db"),
    "compare": (
        "compare --baseline main.json --jf-tol 0.3 --fps-tol mean:5%",
        "compare --base old.pt --head new.pt --db results.db",
    ),
    "history": ("history", "history march.db april.json --plot history.svg"),
    "train": (
        "train g-frtm-lite --pictures ECSSD --out my.safetensors",
        "train g-frtm-lite --write-recipe recipe.json",
    ),
    "distil": (
        "distil resnet18 --pictures ECSSD --out resnet18.pth",
        "distil resnet50 --pictures ECSSD --out resnet50.pth --steps 100",
    ),
    "data": ("data add davis16 /data/DAVIS", "data check davis16"),
    "data add": ("data add davis16 /data/DAVIS", "data add ytvos18-valid /data/YouTubeVOS"),
    "data check": ("data check davis16", "data check davis-layout:clips --json"),
    "data stats": ("data stats davis16", "data stats motion --sequences still,fast"),
    "db": ("db check", "db copy backup.db"),
    "db upgrade": ("db upgrade", "db upgrade --db old.db"),
    "db check": ("db check", "db check --db postgresql+psycopg://me@server/results"),
    "db copy": ("db copy backup.db", "db copy backup.db --db sweep.db"),
    "baseline": ("baseline set main --models my-model --save main.json", "baseline list"),
    "baseline set": (
        "baseline set main --models my-model --save main.json",
        "baseline set v1 --commit 1a2b3c4",
    ),
    "baseline list": ("baseline list", "baseline list --csv baselines.csv"),
    "baseline show": ("baseline show main", "baseline show main --db base.db"),
    "baseline remove": ("baseline remove main", "baseline remove main --db base.db"),
    "baseline load": ("baseline load main.json", "baseline load main.json --study last-week"),
    "trainings": ("trainings", "trainings --json"),
    "trainings show": ("trainings show 3f2a91bc", "trainings show 3f2a91bc --csv curve.csv"),
}
"""By path of command, each without ``vosbench``; relative names need not exist."""
