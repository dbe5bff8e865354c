# Sourced: require PROGRAM ends the test as skipped, with the reason in the
# report, unless the machine is known to have the program.
require() {
  command -v "$1" >/dev/null 2>&1 && return 0
  case ",${CK_MUST_HAVE:-}," in
    *",$1,"*)
      echo "this machine must have $1"
      exit 1
      ;;
  esac
  echo "skipped: no $1 here"
  if [ -n "${XML_OUTPUT_FILE:-}" ]; then
    cat >"$XML_OUTPUT_FILE" <<XML
<testsuites><testsuite name="script"><testcase classname="script" name="$(basename "$0")"
 status="run" result="skipped"><skipped message="no $1 here"/></testcase></testsuite></testsuites>
XML
  fi
  exit 0
}
