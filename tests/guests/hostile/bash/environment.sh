# expect: AC
# attack: T29 environment: looks for credentials in its own environment and in that of process 1
# control: clean_environment
while IFS='=' read -r name value; do
  case $name in
    # The last four are bash's own.
    PATH | HOME | LANG | PWD | OLDPWD | SHLVL | _) ;;
    *) echo "ESCAPED found $name $value" ;;
  esac
done < <(env)
if grep -qaE 'AWS|TOKEN|SECRET|KEY' /proc/self/environ; then echo "ESCAPED found a secret"; fi
if cat /proc/1/environ 2>/dev/null; then echo "ESCAPED read the environment of process 1"; fi
