"""The official SDK's sockets: classes and functions that fit where the SDK expects its own."""
