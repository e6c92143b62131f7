"""The commands of gends-build, one file each, and the options they share."""
