"""Limits and intervals of connections."""

from typing import Final

MAX_EVENT_BYTES: Final = 64 * 1024
"""JSON bytes of an event that the application publishes."""
MAX_CHANNEL_NAME: Final = 200
MAX_MESSAGE_BYTES: Final = 16 * 1024
"""Bytes of a message that a client sends."""
MAX_CHANNELS: Final = 100
"""Channels of a connection."""
MAX_CONNECTIONS: Final = 20
"""Connections of a user, to all processes together."""
MAX_QUEUED_BYTES: Final = 1024 * 1024
"""Bytes that wait for a client that reads slowly."""
MESSAGES_PER_SECOND: Final = 20
MESSAGE_BURST: Final = 200
"""Messages that a client may send at once, for example to subscribe after it has reconnected."""
SEND_TIMEOUT: Final = 10.0
"""Seconds that a client may take to read what fills the connection's buffers."""
CLOSE_TIMEOUT: Final = 2.0
HEARTBEAT_INTERVAL: Final = 25.0
"""Seconds between two pings of the server, so that clients and proxies see that it is alive."""
HEARTBEAT_TIMEOUT: Final = 60.0
"""Seconds after which a client that sends nothing is disconnected."""
TOKEN_NOTICE: Final = 60.0
"""Seconds before the expiry at which a client is asked for a new token."""
ACCESS_INTERVAL: Final = 0.5
"""Seconds between two checks for deactivated users."""
AUTHORIZE_INTERVAL: Final = 60.0
"""Seconds after which a subscription is authorized again."""
AUTHORIZE_TIMEOUT: Final = 5.0
"""Seconds that a module's authorization may take before it counts as failed."""
PRESENCE_LEASE: Final = 30.0
PRESENCE_INTERVAL: Final = 10.0
RECONNECT_SPREAD: Final = 5.0
"""Seconds over which clients reconnect after the server stops."""
PAGE_SIZE: Final = 200
"""Events that are read at once."""
RETRY_DELAY: Final = 1.0
"""Seconds until a failed operation is retried."""
