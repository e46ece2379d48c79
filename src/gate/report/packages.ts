// `packages: [oms, risk]` in reports that name things as paths, modules, classes or suites.

/**
 * Whether `src/oms/book.py`, `tests.unit.oms.test_book` or `oms` is in the package: its parts stand
 * in the name one after the other. `oms` is not in `src/comsat/a.py`.
 */
export function isInPackage(name: string, wanted: string): boolean {
  const parts = partsOf(name);
  const sought = partsOf(wanted);
  if (sought.length === 0) return false;
  return parts.some((_, at) => sought.every((part, offset) => parts[at + offset] === part));
}

/** File endings apart: `oms.py` is the package `oms`, too. */
function partsOf(name: string): readonly string[] {
  return name.split(/[/\\.:]+/).filter((part) => part !== '');
}
