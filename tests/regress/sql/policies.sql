-- Policies: what each kind says, what is refused when it is written, and what counts where one cannot tell.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
ALTER SEQUENCE identity.permissions_id_seq RESTART;
SELECT identity.add_realm('acme');
SELECT identity.add_resource_type('acme', 'doors', '{open}');
CREATE FUNCTION may(policy text, context jsonb = NULL, asker text = 'user:1') RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', identity.check_permission('acme', asker, 'open', 'doors', policy, context), '|',
        (SELECT outcome FROM identity.explain_permission('acme', asker, 'open', 'doors', policy, context) ORDER BY step LIMIT 1)) $$;
CREATE FUNCTION door(policy text, kind text, config jsonb, negate boolean = false) RETURNS bigint LANGUAGE sql AS $$
    SELECT identity.add_policy('acme', policy, kind, config, negate);
    SELECT identity.grant_permission('acme', '*', 'doors', '{open}', policy, policy); $$;

-- Subjects.
SELECT identity.add_member('acme', 'user:1', 'group:near'), identity.add_member('acme', 'group:near', 'group:far');
SELECT door('any', 'subject', '{"any": ["role:x", "group:far"]}'), door('all', 'subject', '{"all": ["group:near", "group:far"]}'),
       door('direct', 'subject', '{"any": ["group:far"], "direct": true}'), door('not', 'subject', '{"any": ["user:1"]}', true);
SELECT p, may(p) AS member, may(p, asker => 'user:2') AS other FROM unnest('{any,all,direct,not}'::text[]) p;

-- Times, by the statement's clock or by that of the context.
SELECT door('week', 'time', '{"not_before": "2026-03-01", "not_on_or_after": "2026-03-08", "time_zone": "America/New_York"}'),
       door('work', 'time', '{"weekdays": [[1, 5]], "hours": [[9, 16]], "time_zone": "Europe/Berlin"}'),
       door('night', 'time', '{"hours": [[22, 5]], "minutes": [0, [30, 59]]}'),
       door('past', 'time', '{"not_on_or_after": "2020-01-01T00:00:00Z"}'), door('since', 'time', '{"not_before": "2020-01-01T00:00:00Z"}'),
       door('never', 'time', '{"days_of_month": []}'), door('easter', 'time', '{"years": [[2026, 2027]], "months": [4], "days_of_month": [5]}');
SELECT p, n, may(p, jsonb_build_object('now', n)) FROM (VALUES
    ('week', '2026-03-01T04:59:59Z'), ('week', '2026-03-01T05:00:00Z'), ('week', '2026-03-08T04:59:59Z'), ('week', '2026-03-08T05:00:00Z'),
    ('work', '2026-07-06T07:00:00Z'), ('work', '2026-01-05T07:00:00Z'), ('work', '2026-01-05T15:59:59Z'), ('work', '2026-01-04T10:00:00Z'),
    ('night', '2026-01-01T23:30:00Z'), ('night', '2026-01-01T05:00:00Z'), ('night', '2026-01-01T05:01:00Z'), ('night', '2026-01-01T06:30:00Z'),
    ('easter', '2026-04-05T12:00:00+02:00'), ('easter', '2026-04-06T01:00:00+02:00'), ('easter', '2028-04-05T12:00:00Z'), ('week', 'noon')) v (p, n);
SELECT p, may(p) FROM unnest('{past,since,never}'::text[]) p;

-- Attributes of the context.
SELECT door('eq', 'attribute', '{"attribute": "team", "equals": "sales"}'), door('in', 'attribute', '{"attribute": ["user", "level"], "in": [1, 2]}'),
       door('regex', 'attribute', '{"attribute": "mail", "regex": "@example\\.(com|org)$"}'), door('cidr', 'attribute', '{"attribute": "ip", "cidr": ["10.0.0.0/8", "2001:db8::/32"]}'),
       door('range', 'attribute', '{"attribute": "age", "at_least": 18, "at_most": 65.5}'), door('outside', 'attribute', '{"attribute": "ip", "cidr": "10.0.0.0/8"}', true);
SELECT p, c, may(p, c) FROM (VALUES
    ('eq', '{"team": "sales"}'::jsonb), ('eq', '{"team": ["hr", "sales"]}'), ('eq', '{"team": "Sales"}'), ('eq', '{"team": null}'), ('eq', '[1]'), ('eq', NULL),
    ('in', '{"user": {"level": 2.0}}'), ('in', '{"user": {"level": 3}}'), ('in', '{"user": 1}'),
    ('regex', '{"mail": "a@example.org"}'), ('regex', '{"mail": "a@example.org.evil"}'), ('regex', '{"mail": 7}'),
    ('cidr', '{"ip": "10.255.0.1"}'), ('cidr', '{"ip": "::ffff:10.0.0.1"}'), ('cidr', '{"ip": "2001:db8:1::1"}'), ('cidr', '{"ip": "11.0.0.1"}'), ('cidr', '{"ip": "here"}'),
    ('range', '{"age": 18}'), ('range', '{"age": 65.5}'), ('range', '{"age": 17.999}'), ('range', '{"age": "18"}'),
    ('outside', '{"ip": "11.0.0.1"}'), ('outside', '{"ip": "10.0.0.1"}'), ('outside', '{}')) v (p, c);
-- A regular expression takes time in proportion to the text, whatever it is.
SELECT door('evil', 'attribute', '{"attribute": "a", "regex": "^(x+x+)+y$"}');
SET statement_timeout = '5s';
SELECT may('evil', jsonb_build_object('a', repeat('x', 1000000)));
RESET statement_timeout;

-- Aggregates, nested.
SELECT door('both', 'aggregate', '{"policies": ["eq", "cidr"]}'), door('either', 'aggregate', '{"policies": ["eq", "cidr"], "strategy": "affirmative"}'),
       door('most', 'aggregate', '{"policies": ["eq", "cidr", "any"], "strategy": "consensus"}'), door('nested', 'aggregate', '{"policies": ["both", "either"], "strategy": "consensus"}', true);
SELECT p, c, may(p, c) FROM unnest('{both,either,most,nested}'::text[]) p,
    unnest(ARRAY['{"team": "sales", "ip": "10.0.0.1"}', '{"team": "sales", "ip": "11.0.0.1"}', '{"team": "sales"}', '{"ip": "11.0.0.1"}']::jsonb[]) c;

-- What cannot tell counts against the asker: an allow does not count, a deny does.
SELECT identity.grant_permission('acme', '*', 'doors', '{open}', 'front'), identity.deny_permission('acme', '*', 'doors', '{open}', 'front', 'cidr');
SELECT c, identity.check_permission('acme', 'user:1', 'open', 'doors', 'front', c) FROM unnest(ARRAY[NULL, '{"ip": "11.0.0.1"}', '{"ip": "10.0.0.1"}']::jsonb[]) c;
SELECT step, level, effect, policy, outcome FROM identity.explain_permission('acme', 'user:1', 'open', 'doors', 'front');

-- A change of a policy counts at once.
UPDATE identity.policies SET config = '{"attribute": "team", "equals": "hr"}' WHERE name = 'eq';
SELECT may('eq', '{"team": "sales"}'), may('both', '{"team": "hr", "ip": "10.0.0.1"}');

-- What is refused when it is written.
SELECT identity.add_policy('acme', 'x', k, c) FROM (VALUES ('attribute', '{"attribute": "a", "regex": "(x"}'::jsonb)) v (k, c);
SELECT identity.add_policy('acme', 'x', 'attribute', '{"attribute": "a", "regex": "(?=x)"}');
SELECT identity.add_policy('acme', 'x', 'attribute', '{"attribute": "a", "cidr": "10.0.0.0/33"}');
SELECT identity.add_policy('acme', 'x', 'attribute', '{"attribute": "a", "cidr": "10.0.0.1/8"}');
SELECT identity.add_policy('acme', 'x', 'attribute', '{"attribute": "a"}');
SELECT identity.add_policy('acme', 'x', 'time', '{"hours": [9], "time_zone": "Mars/Olympus"}');
SELECT identity.add_policy('acme', 'x', 'time', '{"hours": [24]}');
SELECT identity.add_policy('acme', 'x', 'time', '{"weekdays": ["monday"]}');
SELECT identity.add_policy('acme', 'x', 'subject', '{"any": ["bob"]}');
SELECT identity.add_policy('acme', 'x', 'script', '{}');
SELECT identity.add_policy('acme', 'x', 'time', NULL);
SELECT identity.add_policy('acme', 'x', 'aggregate', '{"policies": ["eq", "none"]}');
SELECT identity.add_policy('acme', 'x', 'aggregate', '{"policies": ["x"]}');
UPDATE identity.policies SET kind = 'aggregate', config = '{"policies": ["nested"]}' WHERE name = 'eq';
SELECT identity.add_policy('acme', 'eq', 'subject', '{"any": []}');
SELECT identity.add_policy('acme', NULL, 'subject', '{"any": []}');
SELECT identity.add_policy('nowhere', 'x', 'subject', '{"any": []}');
SELECT identity.remove_policy('acme', 'past');
SELECT identity.revoke_permission('acme', '*', 'doors', '{open}', 'eq', 'eq'), identity.remove_policy('acme', 'none') AS none;
SELECT identity.remove_policy('acme', 'eq');
UPDATE identity.policies SET name = 'renamed' WHERE name = 'eq';
\set VERBOSITY terse
INSERT INTO identity.policies VALUES ('acme', 'x', 'attribute', '{"attribute": "a", "regex": "(x"}');
COPY identity.policies (realm, name, kind, config, negate) FROM STDIN;
acme	second	aggregate	{"policies": ["first"]}	f
acme	first	subject	{"any": ["user:1"]}	f
\.
COPY identity.policies (realm, name, kind, config, negate) FROM STDIN;
acme	third	aggregate	{"policies": ["fourth"]}	f
acme	fourth	aggregate	{"policies": ["third"]}	f
\.
SELECT identity.revoke_permission('acme', '*', 'doors', '{open}', 'past'), identity.remove_policy('acme', 'past');

DROP FUNCTION may, door;
TRUNCATE identity.permissions, identity.members, identity.resource_containers, identity.policies, identity.implied_scopes, identity.resource_types;
DELETE FROM identity.realms;
