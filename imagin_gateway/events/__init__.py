"""What happened, for the operator: typed events, one JSON object a line, no secret in them.

`kinds` declares every kind and every fact, `event` writes one as a line, `sinks` and
`syslog` are where lines go, `outlet` holds what waits for a sink, `log` joins them.
`retention` forgets, `reading` reads them again, `telling` says them in words.
"""

from imagin_gateway.events.event import SCHEMA_VERSION as SCHEMA_VERSION
from imagin_gateway.events.event import Event as Event
from imagin_gateway.events.event import render as render
from imagin_gateway.events.kinds import EventName as EventName
from imagin_gateway.events.log import EventLog as EventLog
from imagin_gateway.events.sinks import CallSink as CallSink
from imagin_gateway.events.sinks import FileSink as FileSink
from imagin_gateway.events.sinks import Sink as Sink
from imagin_gateway.events.sinks import StreamSink as StreamSink
