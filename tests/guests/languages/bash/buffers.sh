echo before
printf -v text '%01048576d' 0
for ((i = 0; ; i++)); do texts[i]=$text; done