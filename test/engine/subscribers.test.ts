import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/engine/control.ts';
import { Subscribers } from '../../src/engine/subscribers.ts';
import { aTick, T0 } from '../support/build.ts';

const CHANGE: Change = { kind: 'tick', watchId: 'w_1', tick: aTick(T0) };

describe('Subscribers', () => {
  it('tells those of the watch and those of all, until they leave', () => {
    const subscribers = new Subscribers();
    const heard: string[] = [];
    const leave = subscribers.add('w_1', () => void heard.push('mine'));
    subscribers.add('w_2', () => void heard.push('other'));
    subscribers.add(null, () => void heard.push('all'));
    subscribers.publish(CHANGE);
    leave();
    leave();
    subscribers.publish(CHANGE);
    expect(heard).toEqual(['mine', 'all', 'all']);
  });

  it('tells the others when a listener fails', () => {
    const subscribers = new Subscribers();
    const heard: Change[] = [];
    subscribers.add('w_1', () => {
      throw new Error('a bug');
    });
    subscribers.add('w_1', (change) => void heard.push(change));
    expect(() => subscribers.publish(CHANGE)).not.toThrow();
    expect(heard).toEqual([CHANGE]);
  });

  it('takes no more than it can tell, and room that was left', () => {
    const subscribers = new Subscribers();
    const leaves = Array.from({ length: 1_000 }, () => subscribers.add(null, () => undefined));
    expect(() => subscribers.add(null, () => undefined)).toThrow('1000 listeners');
    leaves[0]?.();
    expect(() => subscribers.add(null, () => undefined)).not.toThrow();
  });
});
