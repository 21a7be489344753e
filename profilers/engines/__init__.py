"""What a runtime makes of a model: the engine, its layers, the proof of its precision, and where engines are kept."""
