"""For us who maintain otlp_kit: the site, its checks, the environment. Not part of the package."""
