declare -A texts=([größe]="Привет, 世界 🎉")
echo "${texts[größe]}"