"""A broker and a Redis out of wheels, as processes that never outlive this one."""
