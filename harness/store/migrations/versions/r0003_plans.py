"""Plans: what each command asked for, and which attempt was made for it; imported trials."""

import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables, and turn each study's only command into its first plan."""
    _make_plans()
    _fill_plans()
    op.drop_index("ix_trial_group_key", "trial")
    op.drop_column("trial", "group_key")
    op.drop_column("study", "command")
    # Not by add_column: SQLite takes a foreign key with a new column only, Alembic adds it after.
    op.execute(
        "ALTER TABLE attempt ADD COLUMN plan_id INTEGER "
        "CONSTRAINT fk_attempt_plan_id REFERENCES study_plan (id)"
    )
    op.add_column("trial", sa.Column("origin", sa.Text(), nullable=True))
    op.add_column("sequence_result", sa.Column("traced", sa.Text(), nullable=True))
    op.execute("UPDATE trial SET tries = 0 WHERE state = 'complete'")
    _mark_imported()
    _mark_traced()


def _make_plans() -> None:
    op.create_table(
        "study_plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name=op.f("fk_study_plan_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_plan")),
        sa.UniqueConstraint("study_id", "digest", name=op.f("uq_study_plan_study_id_digest")),
    )
    op.create_table(
        "study_plan_trial",
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["study_plan.id"],
            name=op.f("fk_study_plan_trial_plan_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["trial.id"],
            name=op.f("fk_study_plan_trial_trial_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("plan_id", "trial_id", name=op.f("pk_study_plan_trial")),
    )
    op.create_index(
        op.f("ix_study_plan_trial_plan_id_position"), "study_plan_trial", ["plan_id", "position"]
    )
    op.create_index(op.f("ix_study_plan_trial_trial_id"), "study_plan_trial", ["trial_id"])


def _fill_plans() -> None:
    """A study knew its last command only, and one list of trials: all of it is one plan."""
    on_server = op.get_context().dialect.name == "postgresql"
    nothing = "CAST('{}' AS JSON)" if on_server else "'{}'"
    op.execute(
        "INSERT INTO study_plan (id, study_id, digest, command, folder, options, created_at) "
        f"SELECT id, id, 'before 0003', command, '', {nothing}, created_at FROM study"
    )
    op.execute(
        "INSERT INTO study_plan_trial (plan_id, trial_id, position, group_key) "
        "SELECT study_trial.study_id, trial.id, study_trial.position, trial.group_key "
        "FROM study_trial JOIN trial ON trial.id = study_trial.trial_id"
    )
    if on_server:
        op.execute(
            "SELECT setval(pg_get_serial_sequence('study_plan', 'id'), "
            "(SELECT coalesce(max(id), 0) + 1 FROM study_plan), false)"
        )


def _mark_imported() -> None:
    """Trials whose last attempt was an import."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT trial.id, attempt.annotations FROM trial JOIN attempt "
            "ON attempt.trial_id = trial.id AND attempt.number = trial.attempts "
            "WHERE trial.state = 'complete' AND attempt.worker = 'import'"
        )
    ).all()
    for trial_id, annotations in rows:
        noted = json.loads(annotations) if isinstance(annotations, str) else annotations
        if isinstance(noted, dict) and "imported_from" in noted:
            connection.execute(
                sa.text("UPDATE trial SET origin = :origin WHERE id = :id"),
                {"origin": str(noted["imported_from"]), "id": trial_id},
            )


def _mark_traced() -> None:
    """The frames of stored traces: 32-bit numbers, zlib over little-endian bytes."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT sequence_result_id, data FROM series WHERE name = 'trace_frames'")
    ).all()
    for result_id, data in rows:
        raw = zlib.decompress(data)
        frames = [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4)]
        connection.execute(
            sa.text("UPDATE sequence_result SET traced = :traced WHERE id = :id"),
            {"traced": json.dumps(frames), "id": result_id},
        )
