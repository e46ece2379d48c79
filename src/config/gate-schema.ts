// The language of a gate, which reads like the checklist: criteria by level, what decides, who may
// override, what has been waived. The descriptions are what an editor shows
// (config/gate.schema.json is written from here). The kinds of checks are in `gate-checks/`.
import { z } from 'zod';
import { choice, duration, mapping, name, oneOf, text, whole, word } from './fields.ts';
import { checkSchema } from './gate-checks/all.ts';

export const CRITERIA_MAX = 300;
const CHECKS_MAX = 50;
const SIGN_OFFS_MAX = 20;
const EXEMPTIONS_MAX = 200;
const PEOPLE_MAX = 20;
const ROLES_MAX = 20;

const role = name('a role such as engineering_lead');
const validFor = (what: string) =>
  duration('1m', '400d', '24h').default('24h').describe(`${what} counts this long. Default 24h.`);

const signOff = mapping({
  role: role.describe('Whose signature is wanted: engineering_lead.'),
  statement: text(500, 'what is signed')
    .optional()
    .describe('What is signed: "Code review complete". Default: the title of the criterion.'),
  valid_for: validFor('The signature'),
}).describe('A person with this role says so, by name, for this version and environment.');

const listOf = <Item extends z.ZodType>(item: Item, max: number, what: string) => {
  const error = `a list of 1 to ${max} ${what}`;
  return z.array(item, { error }).min(1, { error }).max(max, { error });
};

const criterion = mapping({
  id: name('the id of a criterion').describe('Unique in the gate; a sign-off names it.'),
  title: text(300, 'a title').describe('The line of the checklist, as people know it.'),
  section: text(200, 'a section')
    .optional()
    .describe('Heading in the checklist; a gate can count sections instead of criteria.'),
  checks: listOf(checkSchema, CHECKS_MAX, 'checks')
    .optional()
    .describe('What is looked at: the criterion is met when all checks pass.'),
  sign_off: signOff.optional().describe('A line that no machine can check: who signs it.'),
  sign_offs: listOf(signOff, SIGN_OFFS_MAX, 'sign-offs')
    .optional()
    .describe('Several signatures, all of them needed.'),
}).refine((one) => (one.checks ?? one.sign_off ?? one.sign_offs) !== undefined, {
  error: 'checks, sign_off or sign_offs; add what shows that it is met',
});

const level = (what: string) =>
  listOf(criterion, CRITERIA_MAX, 'criteria').optional().describe(what);

const criteria = mapping({
  green: level('Must be met: one that is not, or is unknown, is NO-GO.'),
  yellow: level('Warnings: one that is not met may be mitigated in writing.'),
  red: level('Stop conditions: the checks pass while it does not hold. Nothing waives one.'),
});

const approvals = z
  .record(role, whole(1, PEOPLE_MAX), {
    error: 'a mapping of roles to numbers of people, such as { cto: 1, senior_engineer: 2 }',
  })
  .refine((roles) => Object.keys(roles).length > 0 && Object.keys(roles).length <= ROLES_MAX, {
    error: `1 to ${ROLES_MAX} roles with numbers of people, such as { cto: 1 }`,
  })
  .describe('Roles, each with a number of people; nobody counts for two.');

const review = mapping({
  from: whole(0, CRITERIA_MAX).describe('So many are enough for a review. Fewer: NO-GO.'),
  approvals,
  valid_for: validFor('An approval'),
});

const yellowError = `a whole number from 0 to ${CRITERIA_MAX}, or "any"`;
const decision = choice(
  {
    yellow_unmitigated_max: z
      .union([whole(0, CRITERIA_MAX), z.literal('any')], { error: yellowError })
      .optional()
      .describe(
        'GO: all green met, no red, and at most so many yellows neither met nor mitigated; ' +
          'any: yellows never stop (non-blocking). Either this or count.',
      ),
    count: oneOf(['sections', 'criteria'])
      .optional()
      .describe('GO: so many green sections (or criteria) met, and no red. With go.'),
    go: whole(1, CRITERIA_MAX).optional().describe('With count: so many are GO.'),
    review: review
      .optional()
      .describe('With count: fewer than go, but so many, is GO with these approvals.'),
  },
  ['yellow_unmitigated_max', 'count'],
);

const override = mapping({ approvals, valid_for: validFor('An approval') });

const untilError = 'a day such as 2026-12-01, or a time with offset such as 2026-12-01T12:00:00Z';
const until = z
  .union([z.iso.date({ error: untilError }), z.iso.datetime({ offset: true, error: untilError })], {
    error: untilError,
  })
  .describe('It ends then; a day counts to its end in UTC.');

const exemption = (what: string) =>
  mapping({
    criterion: text(64, 'the id of a criterion').describe(`Id of the ${what} criterion.`),
    by: text(100, 'a name').describe('Who answers for it.'),
    reason: text(1_000, 'a reason').describe('Why, and what has been done instead.'),
    until,
  });

export const gateSchema = mapping({
  name: word('the name of the gate')
    .optional()
    .describe('In evidence and sign-offs. Default: the name of the file.'),
  title: text(200, 'a title').describe('What is decided, for people.'),
  service: word('a service')
    .optional()
    .describe('Default of the deploy that is decided on. Default: the name of the gate.'),
  environment: word('an environment')
    .optional()
    .describe('Default of the deploy that is decided on. Default: production.'),
  criteria: criteria.describe('The lines of the checklist, by level.'),
  decision: decision.describe('How GO, review or NO-GO follows from the criteria.'),
  override: override
    .optional()
    .describe('Who together may override a NO-GO, with a written risk assessment.'),
  waivers: listOf(exemption('green'), EXEMPTIONS_MAX, 'waivers')
    .optional()
    .describe('Green criteria that count as met for a while, in writing.'),
  mitigations: listOf(exemption('yellow'), EXEMPTIONS_MAX, 'mitigations')
    .optional()
    .describe('Yellow criteria that are mitigated or documented, in writing.'),
  next: text(1_000, 'the next step')
    .optional()
    .describe('What to do after GO, as the record names it; may hold placeholders.'),
  timeout: duration('1s', '24h', '30m')
    .default('30m')
    .describe('All checks together; what is not done by then is unknown. Default 30m.'),
  at_once: whole(1, 64).default(8).describe('Checks at the same time. Default 8.'),
});

export type GateInput = z.output<typeof gateSchema>;
export type CriterionInput = z.output<typeof criterion>;
export type SignOffInput = z.output<typeof signOff>;
