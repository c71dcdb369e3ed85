"""report.md from report.json."""


def table(rows):
    """Rows are dictionaries; the columns are the keys of the first that has each."""
    columns = []
    for row in rows:
        columns += [key for key in row if key not in columns]
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        lines.append("| " + " | ".join(text(row.get(key, "")) for key in columns) + " |")
    return "\n".join(lines)


def text(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(text(v) for v in value)
    return str(value).replace("|", "\\|").replace("\n", " ")


def markdown(document):
    lines = ["# gpu-check" + (", dry run on the CPU: no number here means anything" if document["dry_run"] else ""), ""]
    lines.append(table([{"stage": s["stage"], "state": s["state"], "seconds": s["seconds"], "box": s["box_s"],
                         "why": s.get("why", "").strip()[-300:]} for s in document["stages"]]))
    for stage in document["stages"]:
        found = stage["found"]
        if not found and not stage["table"]:
            continue
        lines += ["", f"## {stage['stage']}", ""]
        plain = {k: v for k, v in found.items() if not isinstance(v, dict) and not (isinstance(v, str) and "\n" in v)}
        lines += [f"- {key}: {text(value)}" for key, value in plain.items()]
        if stage["table"]:
            lines += ["", table(stage["table"])]
        for key, value in found.items():
            if isinstance(value, str) and "\n" in value:
                lines += ["", f"{key}:", "", "```", value.rstrip(), "```"]
    return "\n".join(lines) + "\n"
