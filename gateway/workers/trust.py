"""Notices what changed in the trust folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path

import structlog

from gateway.credentials.errors import CredentialError
from gateway.credentials.trustfolder import TrustFolder, find_signature, read_trust_folder
from gateway.dtls.trust import TrustAnchors
from gateway.workers.periodic import PeriodicWorker

log = structlog.get_logger("gateway.workers")

INTERVAL_S = 2.0
"Half of what a change may take to count, and room for reading."


class TrustWatch(PeriodicWorker):
    """Polls the folder in another thread, and hands new anchors to *use*."""

    def __init__(
        self,
        folder: Path,
        known: TrustFolder,
        use: Callable[[TrustAnchors], None],
        interval_s: float = INTERVAL_S,
        executor: Executor | None = None,
    ) -> None:
        """*known* is the folder as it was read at the start; its faults are told here.

        *executor* does the reading; None: the loop's own.
        """
        super().__init__(interval_s)
        self._folder = folder
        self._known = known
        self._use = use
        self._executor = executor
        self._fault_of_folder: str | None = None
        _tell(known.faults)

    async def work(self) -> None:
        """Look once; an unreadable folder leaves the anchors as they are."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._executor, self._read_if_changed)
        except CredentialError as error:
            if str(error) != self._fault_of_folder:
                log.error("the trust folder cannot be read, its anchors stay", reason=str(error))
            self._fault_of_folder = str(error)
            return
        self._fault_of_folder = None
        if found is None:
            return
        before, self._known = self._known, found
        _tell(fault for fault in found.faults if fault not in before.faults)
        if found.anchors != before.anchors:
            self._use(found.anchors)
            log.info("the trust folder has changed", folder=str(self._folder), anchors=len(found.anchors))

    def _read_if_changed(self) -> TrustFolder | None:
        signature = self._known.signature
        if signature and find_signature(self._folder) == signature:
            return None
        return read_trust_folder(self._folder)


def _tell(faults: Iterable[str]) -> None:
    for fault in faults:
        log.warning("a file of the trust folder is not taken account of", reason=fault)
