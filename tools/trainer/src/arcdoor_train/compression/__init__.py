"""What ``compress`` does: a teacher read as a chain (``reader``), what is known of its maps (``statistics``), how wide
each layer stays (``widths``, by the device's own times: ``plan_table``), which channels and with which weights
(``closed_form``), and the tuning to the teacher's own answers (``tuning``)."""
