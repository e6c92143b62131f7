"""models/gendeg"""
