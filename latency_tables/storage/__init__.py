"""Tables, journals and measured networks on disk. Nothing is unpickled; everything read is checked."""
