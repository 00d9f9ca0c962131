-- Where an entry lies in a filter has changed. An empty filter may hold anything: older blocks are read in full until
-- they leave with their spans.
UPDATE filter SET bits = x'';
