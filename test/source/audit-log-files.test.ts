// What befalls the files of a log while a watch follows it: each fails by itself, none is lost
// silently, and none is held for ever.
import {
  appendFile,
  copyFile,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { OTHERS_MAX } from '../../src/source/audit-log/newest.ts';
import { counts, event, following, lines, untraced } from '../support/audit-log.ts';
import { T0 } from '../support/build.ts';

const MINUTE = 60_000;
const GZIP = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 1, 2, 3]);
const LONG = { overMs: 10 * MINUTE };
const INVALID = { bad: 'invalid', trace: null, ...LONG } as const;
const blind = (reason: string, words: string) => ({
  ...{ kind: 'blind', reason },
  detail: expect.stringContaining(words),
});
const broken = (count: number) => lines(...Array.from({ length: count }, () => '{"ts": broken'));

/** Until the stamps of the disk have gone on. */
async function laterThan(path: string): Promise<void> {
  const { birthtimeMs } = await stat(path);
  const probe = `${path}-probe`;
  await vi.waitFor(async () => {
    await writeFile(probe, '');
    expect((await stat(probe)).mtimeMs).toBeGreaterThan(birthtimeMs);
  });
  await rm(probe);
}

async function openIn(folder: string): Promise<readonly string[]> {
  const names = await readdir('/proc/self/fd');
  const paths = names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''));
  return (await Promise.all(paths)).filter((path) => path.startsWith(folder));
}

describe('a trail that is wholly broken', () => {
  it('counts as invalid, although no line says when it was written', async () => {
    const log = await following({ bad: 'invalid', trace: null });
    await writeFile(log.path, lines(event(-5_000), event(-3_000)));
    expect(await log.read(1_000)).toMatchObject(blind('stale', 'from before the deploy'));
    await appendFile(log.path, broken(20));
    expect(await log.read(6_000)).toMatchObject(counts(20, 20));
    await appendFile(log.path, broken(20));
    expect(await log.read(60_000)).toMatchObject(counts(40, 40));
    expect(await log.read(200_000)).toMatchObject(blind('stale', '2m20s old'));
  });

  it('counts from the second reading on when its file is new', async () => {
    const log = await following({ bad: 'invalid', trace: null });
    await writeFile(log.path, broken(20));
    expect(await log.read(6_000)).toMatchObject(blind('no_series', 'no event with a time'));
    await appendFile(log.path, broken(30));
    expect(await log.read(12_000)).toMatchObject(counts(30, 30));
  });
});

describe('a file of a log that cannot be read', () => {
  it('rejects only as long as it is the newest match', async () => {
    const log = await following({ report: 'events*', ...LONG });
    await writeFile(log.path, lines(event(1_000)));
    await log.read(2_000);
    await writeFile(log.at('events.jsonl.1.gz'), GZIP);
    await utimes(log.at('events.jsonl.1.gz'), T0 / 1_000, 4e9);
    await appendFile(log.path, lines(untraced(3_000)));
    expect(await log.read(7_000)).toMatchObject(blind('rejected', 'jsonl.1.gz is compressed'));
    await utimes(log.at('events.jsonl.1.gz'), T0 / 1_000, T0 / 1_000);
    expect(await log.read(12_000)).toMatchObject(counts(1, 2));
    await appendFile(log.path, lines(untraced(79_000)));
    expect(await log.read(80_000)).toMatchObject(counts(2, 3));
  });

  it('leaves no closed file behind: what comes after it is read', async () => {
    const log = await following(LONG);
    await writeFile(log.path, lines(event(1_000)));
    await log.read(2_000);
    await rename(log.path, log.at('old.1'));
    await writeFile(log.path, GZIP);
    for (const at of [7_000, 60_000, 65_000, 70_000, 75_000]) {
      expect(await log.read(at)).toMatchObject(blind('rejected', 'is compressed'));
    }
    await rm(log.path);
    await writeFile(log.path, lines(untraced(76_000)));
    expect(await log.read(80_000)).toMatchObject(counts(1, 2));
  });

  it('is given up a minute after it was rotated away, its last line torn or not', async () => {
    const log = await following(LONG);
    await writeFile(log.path, `${lines(event(1_000))}{"torn`);
    await log.read(2_000);
    await rename(log.path, log.at('o.1'));
    await writeFile(log.path, lines(event(3_000)));
    await log.read(7_000);
    await rm(log.at('o.1'));
    for (let at = 10_000; at <= 2 * MINUTE; at += 10_000) {
      await appendFile(log.path, lines(event(at)));
      await log.read(at);
    }
    expect(await openIn(dirname(log.path))).toEqual([log.path]);
  });
});

describe('several files of a log', () => {
  it('rotated twice between two ticks: both are read', async () => {
    const log = await following();
    await writeFile(log.path, lines(event(1_000)));
    await log.read(2_000);
    await rename(log.path, log.at('events.jsonl.2'));
    await writeFile(log.at('events.jsonl.1'), lines(untraced(3_000), untraced(3_100)));
    await writeFile(log.path, lines(event(4_000)));
    expect(await log.read(7_000)).toMatchObject(counts(2, 4));
  });

  it('rotated after the deploy, before the first reading: all are read', async () => {
    const log = await following();
    await writeFile(log.at('events.jsonl.2'), lines(untraced(900)));
    await utimes(log.at('events.jsonl.2'), 1e9, 1e9);
    await writeFile(log.at('events.jsonl.1'), lines(untraced(1_000), untraced(1_100)));
    await writeFile(log.at('events.jsonl.3.gz'), GZIP);
    await writeFile(log.at('events-2026-01-01.jsonl'), lines(untraced(1_200)));
    await writeFile(log.at('events-other.jsonl'), lines(untraced(1_300)));
    await writeFile(log.path, lines(event(5_000)));
    expect(await log.read(10_000)).toMatchObject(counts(3, 4));
  });

  it.each(['events-2.jsonl', 'events.jsonl-1h', 'events-a.jsonl', 'events.jsonl.2x'])(
    'another log beside it, %s, is never read',
    async (name) => {
      const log = await following();
      await writeFile(log.at(name), lines(event(900), event(1_000)));
      await writeFile(log.path, lines(untraced(1_000)));
      expect(await log.read(2_000)).toMatchObject(counts(1, 1));
      await appendFile(log.at(name), lines(event(3_000)));
      expect(await log.read(4_000)).toMatchObject(counts(1, 1));
    },
  );

  it.each(['events.jsonl.2', 'events.2.jsonl', 'events.jsonl-20260101'])(
    'another log that is written beside it is not read, also with the name %s',
    async (name) => {
      const log = await following();
      await writeFile(log.path, lines(untraced(1_000)));
      await laterThan(log.path);
      await writeFile(log.at(name), lines(event(900), event(1_000)));
      expect(await log.read(2_000)).toMatchObject(counts(1, 1));
      await appendFile(log.at(name), lines(event(3_000)));
      expect(await log.read(4_000)).toMatchObject(counts(1, 1));
      await rename(log.path, log.at('events.jsonl.1'));
      await writeFile(log.path, lines(untraced(5_000)));
      expect(await log.read(6_000)).toMatchObject(counts(2, 2));
    },
  );

  it('another log that was quiet at a rotation blinds once it grows, then never counts', async () => {
    const log = await following();
    await writeFile(log.at('events.jsonl.2'), lines(event(1_000)));
    await writeFile(log.path, lines(untraced(1_100)));
    expect(await log.read(2_000)).toMatchObject(counts(1, 2));
    await appendFile(log.at('events.jsonl.2'), lines(event(3_000)));
    expect(await log.read(4_000)).toMatchObject(blind('unreachable', 'cannot all be read'));
    await appendFile(log.path, lines(untraced(63_000)));
    await appendFile(log.at('events.jsonl.2'), lines(event(63_000)));
    expect(await log.read(65_000)).toMatchObject(counts(1, 1));
    await rename(log.path, log.at('events.jsonl.1'));
    await writeFile(log.path, lines(untraced(66_000)));
    expect(await log.read(67_000)).toMatchObject(counts(2, 2));
  });

  it('one that was written until the writer had opened the new one is read', async () => {
    const log = await following();
    await writeFile(log.at('events.jsonl.1'), lines(untraced(1_000)));
    await writeFile(log.path, lines(event(2_000)));
    const bornS = (await stat(log.path)).birthtimeMs / 1_000;
    await utimes(log.at('events.jsonl.1'), bornS + 3, bornS + 3);
    await utimes(log.path, bornS + 60, bornS + 60);
    expect(await log.read(3_000)).toMatchObject(counts(1, 2));
  });

  it('a copy beside the log counts once, also when the log is truncated then', async () => {
    const log = await following({ report: 'events*' });
    await writeFile(log.path, lines(untraced(1_000), event(1_100)));
    await copyFile(log.path, log.at('events.bak'));
    expect(await log.read(2_000)).toMatchObject(counts(1, 2));
    await appendFile(log.path, lines(untraced(2_500)));
    await copyFile(log.path, log.at('events.jsonl.1'));
    await truncate(log.path, 0);
    await appendFile(log.path, lines(event(2_600)));
    expect(await log.read(3_000)).toMatchObject(counts(2, 4));
  });

  it('of sessions that began between two ticks are all read', async () => {
    const log = await following({ report: 's_*/e.jsonl' });
    for (const index of [0, 1, 2, 3]) await mkdir(log.at(`s_${index}`));
    await writeFile(log.at('s_0/e.jsonl'), lines(event(1_000)));
    await log.read(2_000);
    for (const index of [1, 2, 3]) {
      await writeFile(log.at(`s_${index}/e.jsonl`), lines(untraced(2_000 + index)));
    }
    expect(await log.read(7_000)).toMatchObject(counts(3, 4));
  });

  it('written at the same time are all read, also where one is always the newest', async () => {
    const log = await following({ report: '*.jsonl', ...LONG });
    for (const at of [1_000, 6_000, 11_000]) {
      await appendFile(log.at('0.jsonl'), lines(untraced(at)));
      await appendFile(log.at('1.jsonl'), lines(event(at)));
      await utimes(log.at('1.jsonl'), T0 / 1_000, 4e9 + at);
      await log.read(at + 500);
    }
    expect(await log.read(12_000)).toMatchObject(counts(3, 6));
  });

  it('more than are read at once are said, until they have left the range', async () => {
    const log = await following({ report: '*.jsonl' });
    for (let index = 0; index < OTHERS_MAX + 2; index += 1) {
      await writeFile(log.at(`${index}.jsonl`), lines(event(1_000 + index)));
    }
    const wanted = blind('unreachable', 'files that cannot all be read: 0s of 2s are known');
    expect(await log.read(2_000)).toMatchObject(wanted);
    await appendFile(log.at('9.jsonl'), lines(event(63_000)));
    expect(await log.read(64_000)).toMatchObject(counts(0, 1));
  });

  it('one that was quiet for long gets the rest of its torn line', async () => {
    const log = await following({ report: '*.jsonl', ...INVALID });
    const torn = event(3_000);
    await writeFile(log.at('0.jsonl'), `${lines(event(1_000))}${torn.slice(0, 20)}`);
    for (let at = 5_000; at <= 80_000; at += 15_000) {
      await appendFile(log.at('1.jsonl'), lines(event(at)));
      await log.read(at);
    }
    await appendFile(log.at('0.jsonl'), `${torn.slice(20)}\n`);
    expect(await log.read(82_000)).toMatchObject(counts(0, 8));
  });
});

describe('times that are odd', () => {
  it('an old one near the end does not hide what is before it', async () => {
    const log = await following(LONG);
    const pad = 'x'.repeat(900);
    const many = Array.from({ length: 1_500 }, (_, index) => untraced(1_000 + index));
    const tail = Array.from({ length: 1_100 }, (_, index) =>
      event(index < 200 ? -4e9 : 5_000 + index, { pad }),
    );
    await writeFile(log.path, lines(...many, ...tail));
    expect(await log.read(10_000)).toMatchObject(counts(1_500, 2_400));
  });

  it('of a clock that is ahead: the old version is not judged as the new one', async () => {
    const log = await following();
    const old = Array.from({ length: 60 }, (_, index) => untraced((index + 60) * 1_000));
    await writeFile(log.path, lines(...old));
    expect(await log.read(0)).toMatchObject(blind('rejected', 'is 2m ahead'));
    expect(await log.read(61_000)).toMatchObject(blind('rejected', 'for 59s more'));
    await appendFile(log.path, lines(event(181_000)));
    expect(await log.read(130_000)).toMatchObject(blind('stale', 'from before'));
    expect(await log.read(182_000)).toMatchObject(counts(0, 1));
  });
});

it('a large log can be read to its end at once, where nothing waits for it', async () => {
  const log = await following(LONG, undefined, { toEndWithinMs: 30_000 });
  const pad = 'x'.repeat(100_000);
  const all = Array.from({ length: 400 }, (_, index) => event(1_000 + index, { pad }));
  await writeFile(log.path, lines(...all));
  expect(await log.read(5_000)).toMatchObject(counts(0, 400));
});
