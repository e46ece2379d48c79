// The virtual clock of the program, at the time at which most tests begin.
import { VirtualClock as AnyVirtualClock, settled } from '../../src/kit/virtual-clock.ts';
import { T0 } from './build.ts';

export { settled };

export class VirtualClock extends AnyVirtualClock {
  constructor(wallMs = T0) {
    super(wallMs);
  }
}
