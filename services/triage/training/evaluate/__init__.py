"""Quality on labelled data, a file per task; each has `measure(data) -> list[Row]`."""
