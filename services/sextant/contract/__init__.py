"""What travels: inside as the frozen dataclasses of `media`, `tasks` and `events`; on the wire as `v1`.

Only the gateway and the client touch protobuf; everything below them speaks the dataclasses.
"""
