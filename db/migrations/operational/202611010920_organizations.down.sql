drop function platform.find_organization(text);

drop table platform.organizations;
