#!/bin/sh
# rustc, but that the packages which lie beside this file are compiled from there. `cargo xtask cross` wrote both.
folder=${0%/*}
if [ "$2" = -vV ]; then
    # cargo builds anew what another compiler has built: the copies' digest becomes part of this one's name.
    "$@" && echo "sources: ${folder##*/}"
    exit
fi
if [ -n "$CARGO_PKG_NAME" ] && [ -d "$folder/$CARGO_PKG_NAME" ]; then
    for word; do
        shift
        case $word in
        src/lib.rs | */src/lib.rs) word=$folder/$CARGO_PKG_NAME/src/lib.rs ;;
        esac
        set -- "$@" "$word"
    done
fi
exec "$@"
