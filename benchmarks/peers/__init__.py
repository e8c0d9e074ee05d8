"""Others that do the same work, each in an environment of its own; none is a dependency of Heliox."""
