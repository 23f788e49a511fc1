// The program in the form: kept in this tab, made from a request, and made into one.
import { formFile, requested } from "./run_files.js";
import { SAMPLES } from "./languages.js";

const KEY = "rustbox.draft";
const LIMITS = ["cpu_time_secs", "wall_time_secs", "memory_mb"];
/** Fields that the form keeps without showing them. A link with others, such as a webhook, loses them. */
const OTHERS = ["args", "compile_args"];
const PROFILES = ["judge", "agent"];

const fresh = () => ({
  language: "python",
  code: SAMPLES.python,
  stdin: "",
  profile: "judge",
  limits: {},
  hosts: "",
  artifacts: "",
  files: [],
  more: {}, // fields of a request that the form does not edit, such as `args`
});

export function loadDraft() {
  try {
    return { ...fresh(), ...JSON.parse(sessionStorage.getItem(KEY)) };
  } catch {
    return fresh();
  }
}

export function saveDraft(state) {
  const draft = Object.fromEntries(Object.keys(fresh()).map((name) => [name, state[name]]));
  draft.files = draft.files.map(({ data, ...file }) => file); // large data stays on the disk of its user
  try {
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    sessionStorage.removeItem(KEY); // too large for the browser: a reload begins anew
  }
}

const words = (text) => text.split(/[\s,]+/).filter(Boolean);

/** The body of the request. Defaults are left out, so that copied requests stay short. */
export function requestOf({ language, code, stdin, profile, limits, hosts, artifacts, files, more }) {
  const patterns = words(artifacts);
  const allow = words(hosts);
  const given = Object.fromEntries(
    Object.entries(limits)
      .filter(([, value]) => value)
      .map(([name, value]) => [name, Number(value)]),
  );
  const { limits: otherLimits, ...others } = more;
  const allLimits = { ...otherLimits, ...given };
  return {
    language,
    code,
    ...(stdin && { stdin }),
    ...(profile !== "judge" && { profile }),
    ...(allow.length > 0 && { profile: "agent", network: { allow } }),
    ...(patterns.length > 0 && { artifacts: patterns.length === 1 && patterns[0] === "changed" ? "changed" : patterns }),
    ...(files.length > 0 && { files: files.map(requested) }),
    ...(Object.keys(allLimits).length > 0 && { limits: allLimits }),
    ...others,
  };
}

const text = (value) => {
  if (typeof value !== "string") throw new TypeError("a text is expected");
  return value;
};

const list = (value) => (Array.isArray(value) ? value.map(text).join(", ") : text(value));

/** The form of a request, which may come from a stranger. Throws TypeError if it is none. */
export function draftOf({ language, code, stdin = "", profile = "judge", limits = {}, network, artifacts = "", files = [], ...others }) {
  if (!PROFILES.includes(profile)) throw new TypeError("the profile is unknown");
  const more = Object.fromEntries(Object.entries(others).filter(([name]) => OTHERS.includes(name)));
  const limitsOfForm = Object.fromEntries(LIMITS.filter((name) => name in limits).map((name) => [name, Number(limits[name])]));
  const otherLimits = Object.fromEntries(Object.entries(limits).filter(([name]) => !LIMITS.includes(name)));
  if (Object.keys(otherLimits).length > 0) more.limits = otherLimits;
  return {
    language: text(language),
    code: text(code),
    stdin: text(stdin),
    profile,
    limits: limitsOfForm,
    hosts: list(network?.allow ?? ""),
    artifacts: list(artifacts),
    files: files.map(formFile),
    more,
  };
}
