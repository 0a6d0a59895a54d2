"""Reading of scrapes."""

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

type Labels = dict[str, str]


class Scrape:
    """A scrape in Prometheus' text format, read by the parser of its client library."""

    def __init__(self, text: str | bytes) -> None:
        content = text.decode() if isinstance(text, bytes) else text
        self.families = {family.name: family for family in text_string_to_metric_families(content)}

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with this name and these labels; 0 if there is none."""
        return sum(self.find(name, **labels))

    def find(self, name: str, **labels: str) -> list[float]:
        """Return the values of the samples with this name and these labels."""
        return [value for found, value in self._samples(name) if labels.items() <= found.items()]

    def values(self, name: str, label: str) -> set[str]:
        """Return the values of a label."""
        return {found[label] for found, _ in self._samples(name) if label in found}

    def _samples(self, name: str) -> Iterable[tuple[Labels, float]]:
        for family in self.families.values():
            for sample in family.samples:
                if sample.name == name:
                    yield sample.labels, sample.value
