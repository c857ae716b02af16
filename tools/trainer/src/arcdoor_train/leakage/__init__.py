"""What a thief has of a pack, a gallery, or both: what ``leak`` measures. ``run`` drives it; each section of the report
has a file of its own (``weights``, ``plain``, ``sealed``, ``opened``, ``few_bits``, ``linked``); ``scene`` is what they
share."""
