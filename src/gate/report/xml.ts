// XML reports, element by element. No entities of their own, no external ones, nothing is fetched;
// depth, elements and the length of an attribute are bounded. The only door to sax.
import sax from 'sax';
import { type Refused, refused } from './read.ts';

const DEPTH_MAX = 200;
const ELEMENTS_MAX = 5_000_000;
/** Messages of failed tests are long attributes. */
const ATTRIBUTE_CHARS_MAX = 4_000_000;
const PIECE_CHARS = 256 * 1024;

export type Element = {
  readonly name: string;
  readonly attribute: (name: string) => string | null;
  /** Names of the elements around it, the root first. */
  readonly around: readonly string[];
};

export type XmlVisitor = {
  readonly open: (element: Element) => void;
  readonly close?: (name: string, around: readonly string[]) => void;
};

class Unreadable extends Error {}

/** null: the whole document was read. */
export async function visitXml(
  text: string,
  visitor: XmlVisitor,
  signal: AbortSignal,
): Promise<Refused | null> {
  // Of the library as a whole; every parser of canaryd is this one.
  (sax as unknown as { MAX_BUFFER_LENGTH: number }).MAX_BUFFER_LENGTH = ATTRIBUTE_CHARS_MAX;
  const parser = sax.parser(true, { strictEntities: true } as sax.SAXOptions);
  const around: string[] = [];
  let elements = 0;
  parser.onerror = (error) => {
    throw new Unreadable(causeOf(error, parser.line + 1));
  };
  parser.ondoctype = (doctype) => {
    if (doctype.includes('[')) throw new Unreadable('declares entities; write it without');
  };
  parser.onopentag = ({ name, attributes }) => {
    elements += 1;
    if (elements > ELEMENTS_MAX) throw new Unreadable(`has more than ${ELEMENTS_MAX} elements`);
    if (around.length >= DEPTH_MAX) throw new Unreadable(`is nested deeper than ${DEPTH_MAX}`);
    const attribute = (key: string) => {
      const value = Object.hasOwn(attributes, key) ? attributes[key] : undefined;
      return typeof value === 'string' ? value : null;
    };
    visitor.open({ name, attribute, around });
    around.push(name);
  };
  parser.onclosetag = (name) => {
    around.pop();
    visitor.close?.(name, around);
  };
  try {
    for (let at = 0; at < text.length; at += PIECE_CHARS) {
      if (signal.aborted) return refused('was not read to its end: cut off');
      parser.write(text.slice(at, at + PIECE_CHARS));
      // Others must get their turn: the time limit of this check, too.
      await new Promise((resolve) => setImmediate(resolve));
    }
    parser.close();
  } catch (error) {
    if (error instanceof Unreadable) return refused(error.message);
    throw error;
  }
  return elements === 0 ? refused('has no XML element; write the report again') : null;
}

function causeOf(error: Error, line: number): string {
  const [cause = 'not well-formed'] = error.message.split('\n');
  return /unclosed root|unexpected end/i.test(cause)
    ? 'is truncated: the XML ends too early; write the report again'
    : `is no well-formed XML (line ${line}: ${cause.slice(0, 80)}); write the report again`;
}
