source lib/area.sh
area 6 7
