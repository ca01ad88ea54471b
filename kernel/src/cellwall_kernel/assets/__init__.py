"""Data files that plugins declare or users add: fetched once, checked, and handed to plugins by path.

    spec            what a manifest declares; the syntax of a source
    launching       the files for a plugin's start             user_files  what the user added
    fetch           make sure that a file is here              store       where files lie, locks
    sources         one attempt at one source                  progress    the bar on stderr
    download        an address to a file, resumable            unpack      a file out of a wheel, checked
    index           find a wheel in the configured places      index_page  their pages
    index_settings  the configuration of pip and uv            web         TLS, proxies, credentials
    failures        why a source did not work, in words

Importing `spec`, `launching`, `user_files` and `fetch` is cheap; the rest is loaded when something is
missing.
"""
