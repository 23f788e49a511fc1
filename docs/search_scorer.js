// How the search of the site ranks pages: guides before decisions.
// Sphinx calls `score`; the numbers of a match are those of Sphinx itself (`Scorer` of its searchtools.js).
var Scorer = {
  score: ([docname, , , , score]) => (docname.startsWith("adr/") ? score - 100 : score),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
