"""Random lives of whole gates, seen only from outside, with everything going wrong that can: `make soak`.

Real processes (`qa-gate serve` and `worker`) between the stand-ins: one gate on SQLite, three on PostgreSQL. `people` act
and `troubles` strike for a while; then all works again, and `judge` says what was broken, from git, GitHub's statuses
and the driver's own `record` alone. The gate's database is never looked at.
"""
