-- Who was there to see, and what proxies had counted by then: what was missed is known, and can be made good.
CREATE TABLE presence(
  who INTEGER NOT NULL,       -- 0 the console, 1 a proxy
  instance TEXT NOT NULL,
  began INTEGER NOT NULL,
  until INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL,     -- 0 goes on, 1 away, 2 stopped, 3 lost
  service TEXT NOT NULL,
  host TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY(who, instance, began)
) WITHOUT ROWID;
CREATE INDEX presence_until ON presence(until);

CREATE TABLE total(
  instance TEXT NOT NULL,
  route TEXT NOT NULL,
  time INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY(instance, route)
) WITHOUT ROWID;
