# Root types commands as the door's own user: what they write must be the service's.
if [ "$(id -u)" = 0 ]; then
    arcdoor() {
        runuser -u arcdoor -- env ARCDOOR_HOME=/var/lib/arcdoor ARCDOOR_SOCKET=/run/arcdoor/socket /usr/bin/arcdoor "$@"
    }
fi
