// What turns are written with: one change each, what it turns, and NO-GO.
import type { Service } from './environment.ts';
import type { Turn } from './gate-suite.ts';
import type { Said } from './programs.ts';
import type { SiteAnswer } from './sites.ts';
import type { Change, Written } from './world.ts';

type Turns = Turn['turns'];

export function turnWords<Own extends Service = Service>() {
  const turn = (name: string, change: Change, turns: Turns): Turn<Own> => {
    return { name, change, turns, decision: 'no_go' };
  };
  return {
    turn,
    unknown: (one: Turn<Own>): Turn<Own> => ({ ...one, outcome: 'unknown' }),
    file: (name: string, path: string, written: Written | null, turns: Turns) =>
      turn(name, { files: { [path]: written } }, turns),
    program: (name: string, tool: string, said: Said, turns: Turns) =>
      turn(name, { programs: { [tool]: [said] } }, turns),
    variable: (name: string, env: Readonly<Record<string, string | null>>, turns: Turns) =>
      turn(name, { env }, turns),
    site: (name: string, of: string, answers: Record<string, SiteAnswer>, turns: Turns) =>
      turn(name, { sites: { [of]: answers } }, turns),
  };
}
