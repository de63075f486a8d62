drop table platform.users;
