// Texts that people type, as they are taken from outside.
import { z } from 'zod';
import { nameFlaw } from '../core/signature.ts';
import { printable } from '../kit/redact.ts';

/** What a person types: bounded, not cut. What cannot be printed is taken out. */
export function typed(max: number, what: string) {
  return z.string().max(max).transform(oneLine).pipe(z.string().min(1)).describe(what);
}

/** Who: a signature under nothing that can be read would be nobody's. */
export function person(max: number, what: string) {
  const name = z.string().superRefine((text, found) => {
    const flaw = nameFlaw(text);
    if (flaw !== null) found.addIssue({ code: 'custom', message: `the name ${flaw}` });
  });
  return z.string().max(max).transform(oneLine).pipe(name).describe(what);
}

export function oneLine(text: string): string {
  return printable(text);
}
