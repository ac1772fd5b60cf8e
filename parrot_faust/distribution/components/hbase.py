"""HBase in one process (ZooKeeper, master and region server), and its two Thrift servers.

Two, because the first Thrift API has no versions a cell: `happybase` speaks it, for tables and scans; the second one
has them, for writes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import escape

import happybase
import thriftpy2
from thriftpy2.rpc import make_client
from thriftpy2.thrift import TApplicationException, TException

from parrot_faust.distribution.components.base import LOOPBACK, Component, Context
from parrot_faust.distribution.processes import Launch
from parrot_faust.distribution.state import State

VERSION = "2.6.1"
ANSWER_TIMEOUT_MS = 5_000
PROBE_TABLE = b"parrot.ready"

#: Modules that Hadoop's and HBase's reflection opens on Java 17.
OPENS = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.lang", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.net", "java.util",
        "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.misc",
    )
]  # fmt: skip
#: What is asked of the second Thrift server, and its answer.
THRIFT2 = "service THBaseService { i32 getThriftServerType() }"
THRIFT2_SERVER = 2
LOG4J1 = """log4j.rootLogger=WARN,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.out
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %m (%c{1})%n
"""


def _settings(state: State) -> dict[str, object]:
    data = state.data("hbase")
    return {
        "hbase.cluster.distributed": "false",
        "hbase.rootdir": f"file://{data}/root",
        "hbase.tmp.dir": f"{data}/scratch",
        "hbase.zookeeper.property.dataDir": f"{data}/zk",
        "hbase.zookeeper.quorum": LOOPBACK,
        "hbase.zookeeper.property.clientPort": state.port("hbase-zookeeper"),
        "hbase.zookeeper.property.clientPortAddress": LOOPBACK,
        "hbase.zookeeper.property.admin.enableServer": "false",
        "hbase.unsafe.stream.capability.enforce": "false",
        "hbase.wal.provider": "filesystem",
        "hbase.localcluster.assign.random.ports": "false",
        "hbase.master.hostname": "localhost",
        "hbase.regionserver.hostname": "localhost",
        "hbase.master.ipc.address": LOOPBACK,
        "hbase.regionserver.ipc.address": LOOPBACK,
        "hbase.master.port": state.port("hbase-master"),
        "hbase.master.info.port": -1,
        "hbase.regionserver.port": state.port("hbase-region"),
        "hbase.regionserver.info.port": -1,
        "hbase.regionserver.handler.count": 8,
        "hbase.regionserver.thrift.ipaddress": LOOPBACK,
        "hbase.thrift.info.port": -1,
        # One node on a local file system: waiting for a quorum or syncing to disk protects nothing here, and costs
        # twenty seconds of the first start.
        "hbase.procedure.store.region.wal.use.hsync": "false",
        "hbase.wal.hsync": "false",
        # Each table that is written would take 2 MB of the heap at once, which 300 tables then fill.
        "hbase.hregion.memstore.mslab.enabled": "false",
        "hbase.regionserver.msginterval": 500,
        "hbase.master.wait.on.regionservers.mintostart": 1,
        "hbase.master.wait.on.regionservers.maxtostart": 1,
        "hbase.master.wait.on.regionservers.interval": 200,
        "hbase.master.wait.on.regionservers.timeout": 1000,
    }


def _config(state: State) -> Path:
    folder = state.data("hbase") / "conf"
    folder.mkdir(exist_ok=True)
    entries = "\n".join(
        f"  <property><name>{name}</name><value>{escape(str(value))}</value></property>"
        for name, value in _settings(state).items()
    )
    (folder / "hbase-site.xml").write_text(f"<configuration>\n{entries}\n</configuration>\n", encoding="utf-8")
    (folder / "log4j.properties").write_text(LOG4J1, encoding="utf-8")
    return folder


def prepare(context: Context) -> None:
    """Nothing to unpack: its jars are used as they lie in the cache."""
    _config(context.state)


def launches(context: Context) -> Sequence[Launch]:
    """The server, then the Thrift servers, which wait for it by themselves."""
    state = context.state
    class_path = f"{_config(state)}:{context.class_path('hbase')}"
    folder = state.data("hbase")

    def launch(name: str, heap_mb: int, *main: str) -> Launch:
        options = context.jvm(heap_mb, *OPENS, f"-Djava.io.tmpdir={folder}")
        return Launch(name, [*options, "-cp", class_path, *main], folder=folder)

    thrift = "org.apache.hadoop.hbase.{}.ThriftServer"
    return [
        launch("hbase", 768, "org.apache.hadoop.hbase.master.HMaster", "start"),
        launch("hbase-thrift", 256, thrift.format("thrift"), "start", "-p", str(state.port("hbase-thrift"))),
        launch("hbase-thrift2", 256, thrift.format("thrift2"), "start", "-p", str(state.port("hbase-thrift2"))),
    ]


def ready(context: Context) -> bool:
    """Whether the master makes a table and both Thrift servers answer."""
    first = happybase.Connection(
        LOOPBACK, context.state.port("hbase-thrift"), timeout=ANSWER_TIMEOUT_MS, autoconnect=False
    )
    try:
        first.open()
        if PROBE_TABLE not in first.tables():
            first.create_table(PROBE_TABLE.decode(), {"d": {}})
        second = make_client(
            thriftpy2.load_fp(io.StringIO(THRIFT2), "parrot_hbase_ready_thrift").THBaseService,
            LOOPBACK,
            context.state.port("hbase-thrift2"),
            timeout=ANSWER_TIMEOUT_MS,
        )
        with closing(second):
            return bool(second.getThriftServerType() == THRIFT2_SERVER)
    except (TApplicationException, TException, OSError):
        return False
    finally:
        first.close()


COMPONENT = Component(
    name="hbase",
    version=VERSION,
    bundles=("hbase",),
    processes=("hbase", "hbase-thrift", "hbase-thrift2"),
    needs=(),
    java=True,
    prepare=prepare,
    launches=launches,
    ready=ready,
    address=lambda state: f"{LOOPBACK}:{state.port('hbase-thrift')}",
)
