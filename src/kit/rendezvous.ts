import { createHash } from 'node:crypto';

function weight(key: string, member: string): bigint {
  return createHash('sha1').update(`${member}\n${key}`).digest().readBigUInt64BE();
}

/**
 * Whose a key is: everybody who knows the same members says the same, without asking, and when a
 * member comes or goes only its own keys move (highest random weight).
 * @returns null without members
 */
export function memberOf(key: string, members: readonly string[]): string | null {
  let best: { readonly member: string; readonly weight: bigint } | null = null;
  for (const member of members) {
    const mine = weight(key, member);
    const isHeavier = best === null || mine > best.weight;
    // Equal weights would need a broken hash; the name decides, so that all agree even then.
    const isTied = best !== null && mine === best.weight && member < best.member;
    if (isHeavier || isTied) best = { member, weight: mine };
  }
  return best?.member ?? null;
}
