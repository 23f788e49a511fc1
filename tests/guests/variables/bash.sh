echo "${GREETING-none} $PATH"
