# Answers what dbt selects: reads a list of arguments of `dbt ls` from standard input, and writes for each the resources, or null where dbt refuses.
# The project is parsed once.
import contextlib, io, json, sys
from dbt.cli.main import dbtRunner

folder = ["--project-dir", sys.argv[1], "--profiles-dir", sys.argv[1], "--quiet"]
with contextlib.redirect_stdout(io.StringIO()):
    parsed = dbtRunner().invoke(["parse", *folder])
    if not parsed.success:
        raise SystemExit(str(parsed.exception))
    manifest = parsed.result
    runner = dbtRunner(manifest=manifest)
    answers = []
    for arguments in json.load(sys.stdin):
        listed = runner.invoke(
            ["ls", *folder, "--resource-type", "all", "--output", "json", "--output-keys", "resource_type", "name", "source_name", "version", *arguments]
        )
        answers.append([json.loads(line) for line in listed.result] if listed.success else None)
json.dump(answers, sys.stdout)
