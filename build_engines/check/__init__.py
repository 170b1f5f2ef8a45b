"""Is a candidate good enough to be published? Its pictures against float32 and the truth, its tensors one by one."""
