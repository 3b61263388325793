"""Everything on one machine: the `webcare` command, the embedded servers, and the supervisor that runs it all."""
