"""A platform that is down: what was promised goes on, what is new waits, records say how stale it was."""

import contextlib
from pathlib import Path

from entrepot.node.settings import Status
from space import Acquiring, Space, at_rest, found_space, made_bytes, records, wait_for

MAX_AGE = 3.0


def test_what_was_promised_goes_on_while_the_platform_is_down(tmp_path: Path) -> None:
    """A platform that fails would stop every use in its space; or what needs it would be lost meanwhile."""
    with contextlib.closing(Watched(tmp_path)) as watched:
        space = watched.space
        product = watched.offer_table()
        first = watched.call(product, "first.json").received()
        space.operator.kill()
        wait_for("old knowledge", lambda: watched.age() > MAX_AGE + 1)

        second = watched.call(product, "second.json")
        ended = second.received()
        fresh = space.begin(watched.delivered)
        waiting = watched.call("no product that anybody here has looked up", "never.json")
        assert ended.agreement == first.agreement
        (opened, *_) = records(space.provider, ended.use)
        assert opened["status_age"] > MAX_AGE
        assert not waiting.is_over()
        wait_for("a word to the owner", lambda: "another try: http://" in waiting.waits_for())
        assert not fresh.is_over()

        space.operator.start()
        wait_for("the platform", space.operator.is_up)
        fresh.received()
        assert waiting.ended().state == "failed"
        wait_for("rest", lambda: at_rest(space))
        assert len(records(space.provider, first.use)) == len(records(space.provider, ended.use)) == 2


class Watched:
    """A space whose status lists grow old quickly."""

    def __init__(self, folder: Path) -> None:
        self.space: Space = found_space(folder, status=Status(max_age=MAX_AGE, resign=0.5, poll=0.5))
        self.delivered = self.space.offer(made_bytes(50_000, seed=9), uses=3)

    def offer_table(self) -> str:
        table = self.space.root / "table.csv"
        table.write_text("day,rain\n2012-01-01,1\n2012-01-02,2\n", "utf-8")
        return self.space.offer_table(table, uses=10)

    def call(self, product: str, name: str) -> Acquiring:
        target = self.space.root / name
        body = {"product": product, "target": str(target), "format": "EntrepotApi-PULL", "below": "items"}
        self.space.consumer.ask("POST", "/owner/uses", body)
        return Acquiring(self.space, target)

    def age(self) -> float:
        """How old the status list is by which the provider judges, in seconds."""
        lines = self.space.provider.text("/owner/metrics").splitlines()
        return float(next(x for x in lines if x.startswith("entrepot_status_list_age_seconds ")).split()[1])

    def close(self) -> None:
        self.space.stop()
