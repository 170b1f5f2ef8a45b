"""A chain's float32 graphs in FP16 and INT8, as each runtime takes them."""
