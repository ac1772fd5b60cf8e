"""`make screenshots`: picture the web view of the running demo, and keep the outlines of its pages."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from chromium import chromium
from outlines import FILE, IMAGES, outline, written
from pictures import PICTURES, taken, visitor
from running_demo import Demo, running_demo
from staging import staged

from parrot_faust.distribution import Local

STATE = Path(__file__).resolve().parents[2] / ".parrot" / "screenshots"
REVIEW = "tables: {shop.public.products: {schema_change: review}}\n"


def main() -> None:
    """Start what is needed, take the pictures, end what was started."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the shop's people work before")
    minutes = parser.parse_args().minutes
    local = Local(Path(os.environ.get("PARROT_TEST_STATE", STATE)), Local.here().cache)
    before = local.running()
    local.up()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            running_demo(local.addresses(), Path(folder) / "first", REVIEW) as demo,
            staged(demo, Path(folder) / "second", local.folder, minutes),
        ):
            picture(demo)
    finally:
        if not os.environ.get("PARROT_TEST_KEEP"):
            local.down([name for name in local.running() if name not in before])


def picture(demo: Demo) -> None:
    """Take all pictures, and only when all have been taken write them."""
    images, outlines = {}, {}
    with chromium() as browser:
        for each in PICTURES:
            looking = visitor(browser, demo.worker, each)
            page = looking.open(each.path)
            outlines[each.name], images[each.name] = outline(page), taken(page, demo.worker)
            looking.close()
            assert not looking.faults, looking.faults
    IMAGES.mkdir(exist_ok=True)
    for old in IMAGES.glob("*.png"):
        old.unlink()
    for name, image in images.items():
        (IMAGES / f"{name}.png").write_bytes(image)
        sys.stdout.write(f"docs/images/{name}.png {len(image):,} bytes\n")
    FILE.write_text(written(outlines), encoding="utf-8")


if __name__ == "__main__":
    main()
